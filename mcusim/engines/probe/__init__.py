"""The real board by its debug probe: samples through the mailbox in its RAM, over the GDB remote protocol."""
