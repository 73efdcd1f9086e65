#!/usr/bin/env python3
"""Which program writes faster, on a machine whose speed changes from second to second?

Starts every COMMAND (a shell command whose output is a stream), lets each go on for a slice of time while the others are
stopped (SIGSTOP), turn by turn, and prints what each wrote in a second, over that of the first. Let them write the same
text over and over (--temperature 0 on a model that has learnt little): bytes then count tokens.

  in_slices.py [--rounds 60] [--seconds 0.7] [--begin 4] COMMAND...

  in_slices.py 'old/inkstone generate RUN --max-tokens 100000 --temperature 0' \\
               'new/inkstone generate RUN --max-tokens 100000 --temperature 0 --bytes'
"""
import argparse
import os
import signal
import statistics
import subprocess
import time


class Program:
    def __init__(self, command, begin_s):
        self.command, self.bytes, self.seconds = command, 0, 0.0
        self.process = subprocess.Popen(["exec " + command], shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self.process.stdout.fileno(), False)
        time.sleep(begin_s)  # it loads its model
        self.take()
        self.process.send_signal(signal.SIGSTOP)

    def take(self):
        taken = 0
        while True:
            try:
                block = os.read(self.process.stdout.fileno(), 1 << 20)
            except BlockingIOError:
                return taken
            if not block:
                raise SystemExit(f"'{self.command}' has ended: give it more to write")
            taken += len(block)

    def run(self, slice_s):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        time.sleep(slice_s)
        self.process.send_signal(signal.SIGSTOP)
        seconds, taken = time.monotonic() - begin, self.take()
        self.bytes, self.seconds = self.bytes + taken, self.seconds + seconds
        return taken / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", metavar="COMMAND", nargs="+")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.7, help="of a slice")
    parser.add_argument("--begin", type=float, default=4, help="seconds that a program has to load its model")
    options = parser.parse_args()
    programs = [Program(command, options.begin) for command in options.commands]
    try:
        rounds = []
        for turn in range(options.rounds):
            order = programs if turn % 2 == 0 else programs[::-1]
            rates = {program: program.run(options.seconds) for program in order}
            rounds.append([rates[program] for program in programs])
    finally:
        for program in programs:
            program.process.kill()
    first = programs[0].bytes / programs[0].seconds
    for i, program in enumerate(programs):
        rate = program.bytes / program.seconds
        ratio = statistics.median(row[i] / row[0] for row in rounds if row[0] > 0)
        print(f"{rate:9.1f} bytes/s  {rate / first:.3f} of the first, median of the rounds {ratio:.3f}  {program.command}")


if __name__ == "__main__":
    main()
