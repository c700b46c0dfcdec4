"""Real boards: which are attached, who holds them, and how a run is divided among them.

An engine whose FACTS say `silicon` opens a `rig`, which holds boards of the hardware map for it, and gives `run_on` a
way to connect to one. Everything else is done here, and alike for all such engines.
"""
