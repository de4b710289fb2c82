#!/usr/bin/env python
"""The provider portal's administrative commands: migrate, prepare_roles, create_tenant, register_device and others."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    execute_from_command_line(sys.argv)
