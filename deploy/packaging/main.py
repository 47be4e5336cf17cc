"""What the single file and the folder run; the counterpart of ``python -m presence_server``."""

from presence_server.frozen.start import prepared

with prepared():
    from presence_server.cli import main

    main()
