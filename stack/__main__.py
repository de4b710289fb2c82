"""`python -m stack`: what `bin/up`, `bin/down` and `bin/demo` call once the virtual environment is there."""

import signal
import sys

# A Ctrl-C while the rest is still being loaded ends this at once, and without a traceback.
_handler = signal.signal(signal.SIGINT, signal.SIG_DFL)

if __name__ == "__main__":
    from stack.command import main

    signal.signal(signal.SIGINT, _handler)
    sys.exit(main())
