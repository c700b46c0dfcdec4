"""Engine `serial`: the real board, over the UART that its console is on."""
