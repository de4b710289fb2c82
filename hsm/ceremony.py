"""From a blank device to a sealed one: identity, certificate, and the ceremony that makes a world."""

import math
import os
import time

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import ANY_STATE, ANYONE, CONSOLE, handles
from hsm.officers import enrol_first, make_transcript, share_unseal_secret
from hsm.wrapping_keys import make_wrapping_key
from strongroom.protocol import certificates, commands
from strongroom.protocol.admin_actions import check_thresholds
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import WORLD_LOG
from strongroom.protocol.suites import SUITES


@handles(commands.Status, states=ANY_STATE, callers=ANYONE)
def status(device: Device, _command: commands.Status) -> commands.StatusReply:
    unsealing = device.records.get("device/unsealing", r.Unsealing)
    cards = unsealing.names if unsealing else {}
    given = sorted({cards[card] for card in device.attempt.parts}) if device.attempt else []
    return commands.StatusReply(
        state=device.state,
        mode=device.mode,
        device=device.device_id,
        world=device.world,
        boot_epoch=device.boot_epoch,
        unseal_progress=len(given),
        unseal_threshold=unsealing.threshold if unsealing else 0,
        unseal_cards=cards,
        unseal_given=given,
        unseal_wait=max(0, math.ceil(device.wait_until - time.monotonic())),
        workers=device.worker_pids(),
        version=device.measurement,
    )


@handles(commands.MakeIdentity, states=("blank",), callers=CONSOLE)
def make_identity(device: Device, _command: commands.MakeIdentity) -> commands.MakeIdentityReply:
    """Make the identity key and a PKCS#10 request (RFC 2986) for it; asked again, the same."""
    kept = device.records.get("device/identity", r.Identity)
    if kept is None:
        key = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, certificates.device_id(key.public_key()))])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, None)
        kept = r.Identity(key.private_bytes_raw(), csr.public_bytes(Encoding.PEM).decode())
        with device.records.transaction() as changes:
            changes.put("device/identity", kept)
        device.identity = key
    return commands.MakeIdentityReply(kept.csr)


@handles(commands.InstallCertificate, states=("blank",), callers=CONSOLE)
def install_certificate(device: Device, command: commands.InstallCertificate) -> commands.Done:
    """Take the manufacturer's certificate for the identity key. From here on the device has a mode and an issuer."""
    if device.identity is None:
        raise Refused("hsm-wrong-state", "make the identity first")
    try:
        certificate = x509.load_pem_x509_certificate(command.certificate.encode())
        root = x509.load_pem_x509_certificate(command.root.encode())
    except ValueError:
        raise Refused("certificate-invalid", "not PEM certificates") from None
    certified = certificates.verify_certificate(certificate, [root], "device", device.now())
    if certified.device_id != device.device_id:
        raise Refused("certificate-invalid", "for another device")
    with device.records.transaction() as changes:
        changes.put("device/certificate", r.Certificate(command.certificate, command.root))
    device.certificate, device.root = certificate, root
    return commands.Done()


@handles(commands.Initialise, states=("manufactured", "sealed"), callers=CONSOLE)
def initialise(device: Device, command: commands.Initialise) -> commands.InitialiseReply:
    """The ceremony. Asked again before the first unsealing with the same officers, the same answer (none is lost)."""
    request = msgspec.msgpack.encode(command)
    kept = device.records.get("device/unsealing", r.Unsealing)
    if kept is not None:
        if kept.request != request or not kept.reply:
            raise Refused("hsm-wrong-state", "the device was initialised before")
        return msgspec.msgpack.decode(kept.reply, type=commands.InitialiseReply)
    # 1. The officers' rules are sound.
    enrolled = enrol_first(command.officers, command.thresholds)
    check_thresholds(enrolled.officers, command.thresholds, development=device.mode == "development")
    # 2. The world: its key, and the unseal secret that together with the device secret protects it; each part of that
    #    goes to its card, sealed to the card's own key.
    world, world_key = make_id("wd_"), os.urandom(32)
    unsealing, sealed_parts = share_unseal_secret(device, world_key, world, enrolled)
    # 3. A transcript of what was made, for everyone present.
    reply = commands.InitialiseReply(world, sealed_parts, device.sign(make_transcript(device, world, enrolled)))
    # 4. All of it is written together; the world's first records are sealed under its key.
    unlocked = device.unlocked_records(world_key)
    with unlocked.transaction() as changes:
        kept_answer = {"request": request, "reply": msgspec.msgpack.encode(reply)}
        changes.put("device/unsealing", r.replaced(unsealing, **kept_answer))
        changes.put("world/officers", enrolled)
        make_wrapping_key(device, changes, "vendor-key", "HPKE-XWING")
        for suite in SUITES:
            make_wrapping_key(device, changes, "provider-key", suite)
        changes.log(
            WORLD_LOG,
            epoch=device.boot_epoch,
            time=device.now(),
            event="world:initialise",
            details={"transcript": reply.transcript},
        )
    device.world = world
    return reply
