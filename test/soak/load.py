"""Reads a mounted tree in many ways and compares every byte, name and attribute with the tree it was imported
from, which must not change.

    load.py EXPECTED FOUND SEED     until the input ends; prints how often it did what, as JSON
    load.py EXPECTED FOUND          everything once

The first difference, or error that was not asked for, ends it with a traceback.
"""

import errno
import json
import mmap
import os
import random
import select
import stat
import subprocess
import sys

PAGE = 4096


def describe(path):
    """What stat tells of a file, as far as a store keeps it."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return ("symlink", os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return ("directory",)
    return ("file", status.st_size, bool(status.st_mode & 0o100))


def tree(root):
    """All paths below a root, and what is there."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = describe(path)
    return found


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what!r} is not what it should be")


class Load:
    def __init__(self, expected, found, seed):
        self.expected = os.fsencode(expected)
        self.found = os.fsencode(found)
        self.random = random.Random(seed)
        self.tree = tree(self.expected)
        self.folders = [path for path, what in self.tree.items() if what[0] == "directory"]
        self.files = [path for path, what in self.tree.items() if what[0] == "file"]
        self.large = [path for path in self.files if self.tree[path][1] > 1 << 20]
        # What a store keeps as files of their own; the server holds some of them open.
        self.medium = [path for path in self.files if 64 << 10 < self.tree[path][1] <= 1 << 20]
        self.programs = [path for path in self.files if path.startswith(b"bin/")]

    def open(self, path, flags=0):
        """The file as it should be and as it is."""
        expected = os.open(os.path.join(self.expected, path), os.O_RDONLY)
        return expected, os.open(os.path.join(self.found, path), os.O_RDONLY | flags)

    def range(self, path, bytes_max):
        size = self.tree[path][1]
        offset = self.random.randrange(size)
        return offset, self.random.randint(1, bytes_max)

    def walk(self):
        same(tree(self.found), self.tree, self.found)

    def whole(self, path, block=1 << 20):
        expected, found = self.open(path)
        try:
            while True:
                piece = os.read(found, block)
                same(piece, os.read(expected, len(piece) or 1), path)
                if not piece:
                    return
        finally:
            os.close(expected)
            os.close(found)

    def small_files(self):
        for _ in range(100):
            self.whole(self.random.choice(self.files))

    def sequential(self):
        path = self.random.choice(self.large)
        with open(os.path.join(self.found, path), "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.whole(path, self.random.choice([PAGE, 10_000, 128 << 10, 1 << 20]))

    def random_reads(self):
        path = self.random.choice(self.large)
        expected, found = self.open(path)
        os.posix_fadvise(found, 0, 0, os.POSIX_FADV_RANDOM)
        try:
            for _ in range(200):
                offset, length = self.range(path, 64 << 10)
                same(os.pread(found, length, offset), os.pread(expected, length, offset), path)
        finally:
            os.close(expected)
            os.close(found)

    def direct_reads(self):
        """Past the page cache: every one of them is a request."""
        path = self.random.choice(self.large)
        expected, found = self.open(path, os.O_DIRECT)
        buffer = mmap.mmap(-1, 64 << 10)
        try:
            for _ in range(200):
                offset = self.range(path, 1)[0] // PAGE * PAGE
                length = os.preadv(found, [buffer], offset)
                same(buffer[:length], os.pread(expected, len(buffer), offset), path)
        finally:
            os.close(expected)
            os.close(found)

    def many_files(self):
        """The beginnings of more files than the server holds open, past the page cache."""
        buffer = mmap.mmap(-1, PAGE)
        for path in self.random.sample(self.medium, len(self.medium)):
            expected, found = self.open(path, os.O_DIRECT)
            try:
                os.preadv(found, [buffer], 0)
                same(buffer[:], os.pread(expected, PAGE, 0), path)
            finally:
                os.close(expected)
                os.close(found)

    def mapped(self):
        path = self.random.choice(self.large)
        expected, found = self.open(path)
        try:
            with mmap.mmap(found, 0, prot=mmap.PROT_READ) as memory:
                for _ in range(50):
                    offset, length = self.range(path, 64 << 10)
                    same(memory[offset : offset + length], os.pread(expected, length, offset), path)
        finally:
            os.close(expected)
            os.close(found)

    def sent(self):
        path = self.random.choice(self.large)
        expected, found = self.open(path)
        copy = os.memfd_create("copy")
        try:
            offset, length = self.range(path, 1 << 20)
            length = os.sendfile(copy, found, offset, length)
            same(os.pread(copy, length, 0), os.pread(expected, length, offset), path)
        finally:
            for descriptor in (expected, found, copy):
                os.close(descriptor)

    def missing(self):
        name = b"missing %d" % self.random.randrange(10**9)
        folder = os.path.join(self.found, self.random.choice(self.folders))
        file = os.path.join(self.found, self.random.choice(self.files))
        store_path = b"%032d-missing" % self.random.randrange(10**9)
        root = os.path.dirname(self.found)
        for path, flags, wanted in [
            (os.path.join(folder, name), os.O_RDONLY, errno.ENOENT),
            (os.path.join(folder, b"\xff" + name), os.O_RDONLY, errno.ENOENT),
            (os.path.join(file, name), os.O_RDONLY, errno.ENOTDIR),
            (os.path.join(root, name), os.O_RDONLY, errno.ENOENT),
            (os.path.join(root, store_path), os.O_RDONLY, errno.ENOENT),
            (os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, errno.EROFS),
            (file, os.O_RDWR, errno.EROFS),
        ]:
            try:
                os.close(os.open(path, flags))
            except OSError as error:
                if error.errno != wanted:
                    raise
            else:
                raise AssertionError(f"{path!r} could be opened")

    def execute(self):
        for program in self.programs:
            word = b"word %d" % self.random.randrange(10**9)
            command = [os.path.join(self.found, program), word]
            same(subprocess.check_output(command), word + b"\n", program)

    def everything(self):
        self.walk()
        for path in self.files:
            self.whole(path)

    def until_end_of_input(self):
        actions = [
            self.walk,
            self.small_files,
            self.sequential,
            self.random_reads,
            self.direct_reads,
            self.many_files,
            self.mapped,
            self.sent,
            self.missing,
            self.execute,
        ]
        counts = {action.__name__: 0 for action in actions}
        self.everything()
        while not select.select([sys.stdin], [], [], 0)[0]:
            action = self.random.choice(actions)
            action()
            counts[action.__name__] += 1
        print(json.dumps(counts))


expected, found, *seed = sys.argv[1:]
if seed:
    Load(expected, found, int(seed[0])).until_end_of_input()
else:
    Load(expected, found, 0).everything()
