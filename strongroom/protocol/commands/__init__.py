"""The contract of the TEE's socket: what a caller may ask of the sealed process, and what it answers.

A connection begins with a `Hello` that names its lane, answered by a `Reply`. On the *admin* lane each request is a
`Request` (command name and body) answered by a `Reply`; on the *operations* lane each request is an `OperationRequest`
of `strongroom.protocol.operations`. Every message is MessagePack in one frame of `strongroom.protocol.frames`.
Which device state and caller each command needs is declared where it is handled, in `hsm/`.

`calling` has the messages, the other modules the commands by what they are about; all names are found here.
"""

from strongroom.protocol.commands.calling import *  # noqa: F403
from strongroom.protocol.commands.keys import *  # noqa: F403
from strongroom.protocol.commands.life import *  # noqa: F403
from strongroom.protocol.commands.log import *  # noqa: F403
from strongroom.protocol.commands.quorum import *  # noqa: F403
from strongroom.protocol.commands.revocation import *  # noqa: F403
