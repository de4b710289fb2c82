"""Settings of the provider portal. What differs between installations comes from the environment (README)."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from csp.constants import NONCE

from portal import environment
from strongroom.protocol.addresses import Reach

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The installation -----------------------------------------------------------------------------------------------

STRONGROOM_ENV = os.environ.get("STRONGROOM_ENV", "production")
DEVELOPMENT = STRONGROOM_ENV == "development"
PROVIDER = os.environ.get("STRONGROOM_PROVIDER", "provider")
HSM_SOCKET = os.environ.get("STRONGROOM_HSM_SOCKET", "")
VALIDATION_KEY_FILE = os.environ.get("STRONGROOM_VALIDATION_KEY_FILE", "")
WEB_PROCESSES = int(os.environ.get("STRONGROOM_WEB_PROCESSES", "4"))
"""How many share a limit while the cache, where they count together, is away."""
METRICS_TOKEN = environment.optional_secret("STRONGROOM_METRICS_TOKEN_FILE")
ENGINE_KEY_FILE = os.environ.get("STRONGROOM_ENGINE_KEY_FILE", "")
# Callbacks: which addresses may be called, and the pauses between attempts (Standard Webhooks').
CALLBACK_REACH: Reach = "loopback" if DEVELOPMENT else "public"
if os.environ.get("STRONGROOM_CALLBACK_PRIVATE") == "1":
    CALLBACK_REACH = "private"
CALLBACK_RETRY_SECONDS = environment.seconds(
    "STRONGROOM_CALLBACK_RETRIES", "5,300,1800,7200,18000,36000,50400,72000,86400"
)
MANUFACTURER_URL = os.environ.get("STRONGROOM_MANUFACTURER_URL", "")
MANUFACTURER_TLS_FILE = os.environ.get("STRONGROOM_MANUFACTURER_TLS_FILE", "")

DEBUG = False
SECRET_KEY = environment.secret_file("STRONGROOM_SECRET_KEY_FILE")
ALLOWED_HOSTS = [
    host.strip() for host in os.environ.get("STRONGROOM_HOSTS", "localhost,127.0.0.1").split(",") if host.strip()
]

# --- Databases, broker, cache ---------------------------------------------------------------------------------------
# One database, three roles: `default` serves tenants under row-level security, `provider` serves officers and the log
# copier by policies of its own, `owner` migrates and is absent from the processes that serve.

DATABASE_URL = environment.required("DATABASE_URL")
DATABASES = {
    "default": environment.database(DATABASE_URL),
    "provider": environment.database(environment.required("DATABASE_PROVIDER_URL")),
}
if os.environ.get("DATABASE_OWNER_URL"):
    DATABASES["owner"] = environment.database(os.environ["DATABASE_OWNER_URL"])
DATABASE_ROUTERS = ["portal.routers.RolesOfOneDatabase"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": environment.cache_url(environment.required("CACHE_URL")),
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2},
    }
}

CELERY_BROKER_URL = environment.required("CELERY_BROKER_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 120
# What may be much has queues of its own, and waits for nobody but itself.
CELERY_TASK_ROUTES = {
    "portal.jobs.tasks.*": {"queue": "jobs"},
    "portal.callbacks.tasks.*": {"queue": "callbacks"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE = {
    "copy-log": {"task": "portal.audit.tasks.copy_log", "schedule": 1.0, "options": {"expires": 5}},
    "settle-actions": {
        "task": "portal.quorum.tasks.settle_open_actions",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "tell-officers": {"task": "portal.quorum.tasks.tell_officers", "schedule": 15.0, "options": {"expires": 15}},
    "tell-people": {"task": "portal.audit.tasks.tell_people", "schedule": 60.0, "options": {"expires": 60}},
    "settle-imports": {"task": "tee.tasks.settle_imports", "schedule": 10.0, "options": {"expires": 10}},
    "publish-rotated-keys": {"task": "tee.tasks.publish_rotated_keys", "schedule": 5.0, "options": {"expires": 5}},
    "follow-destructions": {
        "task": "tee.tasks.follow_destructions",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "list-vendor-keys": {"task": "tee.tasks.list_vendor_keys", "schedule": 30.0, "options": {"expires": 30}},
    "refresh-keys": {"task": "tee.tasks.refresh_keys", "schedule": 30.0, "options": {"expires": 30}},
    "run-jobs": {"task": "portal.jobs.tasks.run_due", "schedule": 5.0, "options": {"expires": 5}},
    "forget-jobs": {"task": "portal.jobs.tasks.forget_old", "schedule": timedelta(hours=1)},
    "deliver-callbacks": {"task": "portal.callbacks.tasks.deliver_due", "schedule": 2.0, "options": {"expires": 5}},
    "forget-deliveries": {"task": "portal.callbacks.tasks.forget_deliveries", "schedule": timedelta(hours=1)},
    "forget-expired-tokens": {"task": "tenants.tasks.forget_expired_tokens", "schedule": timedelta(hours=1)},
    "forget-idempotent-requests": {
        "task": "tenants.tasks.forget_idempotent_requests",
        "schedule": timedelta(hours=1),
    },
}

# --- Mail -----------------------------------------------------------------------------------------------------------
# To officers (portal/quorum/notices.py), and to whoever is invited. Through STRONGROOM_EMAIL_HOST; without one into
# files of STRONGROOM_EMAIL_FOLDER, as the development stack does, or else to standard error beside the log.

EMAIL_HOST = os.environ.get("STRONGROOM_EMAIL_HOST", "")
EMAIL_PORT = int(os.environ.get("STRONGROOM_EMAIL_PORT", "587"))
EMAIL_USE_TLS = True
EMAIL_TIMEOUT = 10
EMAIL_HOST_USER = os.environ.get("STRONGROOM_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = environment.optional_secret("STRONGROOM_EMAIL_PASSWORD_FILE")
DEFAULT_FROM_EMAIL = os.environ.get("STRONGROOM_EMAIL_FROM", "strongroom@localhost")
EMAIL_FILE_PATH = os.environ.get("STRONGROOM_EMAIL_FOLDER", "")
EMAIL_BACKEND = "django.core.mail.backends." + (
    "smtp.EmailBackend" if EMAIL_HOST else "filebased.EmailBackend" if EMAIL_FILE_PATH else "console.EmailBackend"
)

# --- Applications ---------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "tenants",
    "tee",
    "portal",
    "portal.jobs",
    "portal.authenticators",
    "portal.callbacks",
    "portal.quorum",
    "portal.audit",
    "portal.pages",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.pages.headers.browser_headers",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.installation",
            ],
        },
    }
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
# What the page of imports encrypts with, as npm installed it (bin/environment); without it the page says so.
BROWSER_MODULES = Path(os.environ.get("STRONGROOM_BROWSER_MODULES") or Path(sys.prefix) / "npm" / "node_modules")
STATICFILES_DIRS = [("npm", BROWSER_MODULES)] if BROWSER_MODULES.is_dir() else []
# Static files are served from where the applications have them: there is no collecting step.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- Who may come in ------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
OTP_TOTP_ISSUER = "Strongroom"
# The window stays where the clock is: it never follows a device's drift.
OTP_TOTP_SYNC = False

REST_KNOX = {
    "TOKEN_TTL": timedelta(minutes=15),
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "str_",
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.permissions.Declared"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "portal.api.description.Description",
    "EXCEPTION_HANDLER": "portal.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # `?format=` is a parameter of ours, and every answer is JSON unless a view says otherwise.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Strongroom",
    "DESCRIPTION": "Use customers' secret keys without ever having them. Errors are RFC 9457 problem details.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # What pages' own scripts call is described as it is for everyone else: with a token.
    "AUTHENTICATION_WHITELIST": ["tenants.authentication.BearerToken"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "portal.api.description.complete"],
    "ENUM_NAME_OVERRIDES": {
        "OpeningMechanismEnum": "portal.dataplane.description.OPENING",
        "WrappingMechanismEnum": "portal.dataplane.description.WRAPPING",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

LOGIN_URL = "pages:login"
LOGIN_REDIRECT_URL = "pages:overview"
LOGOUT_REDIRECT_URL = "pages:login"

# --- Transport and browser ------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = not DEVELOPMENT
# A proxy's word on TLS counts only where the installation says that all requests come through it.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if os.environ.get("STRONGROOM_TRUSTED_PROXY") == "1" else None
)
SECURE_HSTS_SECONDS = 0 if DEVELOPMENT else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEVELOPMENT
SECURE_CONTENT_TYPE_NOSNIFF = True
# A script runs only where its element carries the answer's own nonce (`nonce="{{ request.csp_nonce }}"`); modules that
# it imports inherit that. Styles are files of our own.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": [NONCE],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "upgrade-insecure-requests": not DEVELOPMENT,
    }
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# In a `__Host-` cookie a browser takes nothing that another host, or a page without TLS, has set.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
    ("sessionid", "csrftoken") if DEVELOPMENT else ("__Host-sessionid", "__Host-csrftoken")
)
SESSION_COOKIE_SECURE = not DEVELOPMENT
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
CSRF_COOKIE_SECURE = not DEVELOPMENT
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # A client's own mistakes fill no logs.
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "httpx": {"level": "WARNING"},
    },
}
