"""What a build goes through in a month, in an hour: kills, full disks, corruption, hostile files, a bad network.

    .venv/bin/python -m benchmarks.torture --share 0.1

Each row of the table says how often something was tried, how often it was survived, and how many files differ at the
end. Survived: the program ended with success or with an error of ours, without a traceback, a signal or an orphan, and
after the same command the result has the bytes of an undisturbed run. docs/reliability.md has the table.
"""
