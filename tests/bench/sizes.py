"""sizes.py FILES: checkpoints of a workspace of so many small files, and of one with a sparse file of 5 GiB; each with its time
and peak memory, and a failure where it takes more than it may.

SIZES_CHECKPOINTS (the library's example), SIZES_WORK.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

PROGRAM, WORK = os.environ["SIZES_CHECKPOINTS"], pathlib.Path(os.environ["SIZES_WORK"])
TREE, STORE = WORK / "tree", WORK / "store.git"
MIB = 1 << 20
# a file of the tree is so much in memory at the most, twice: before and now
BYTES_A_FILE = 700


def must(is_so, what):
    if not is_so:
        sys.exit(what)


def measured(label, *words, most):
    """Runs the program; what it prints. `most`: MiB of memory that it may take."""
    begun = time.monotonic()
    # not wait4(2): before its exec, a child of ours is as large as we are
    command = ["/usr/bin/time", "--format", "%M", "--output", str(WORK / "peak"), PROGRAM, *map(str, words)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    said = child.stdout.strip()
    peak = int((WORK / "peak").read_text().split()[-1]) // 1024
    print(f"{label}: {time.monotonic() - begun:.1f} s, {peak} MiB at its peak ({said})", flush=True)
    must(child.returncode == 0, f"{label}: exit code {child.returncode}")
    must(peak <= most, f"{label}: it may take {most} MiB of memory")
    return said


def stored():
    """MiB that the repository takes on disk."""
    return sum(path.lstat().st_blocks for path in STORE.rglob("*")) * 512 // MIB


def digest():
    """Of names, modes, times and contents."""
    whole = hashlib.sha256()
    for directory, names, files in os.walk(TREE):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            found = os.lstat(path)
            with open(path, "rb") as file:
                whole.update(f"{path} {found.st_mode} {found.st_mtime_ns} ".encode() + file.read())
    return whole.hexdigest()


def fresh():
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.rmtree(STORE, ignore_errors=True)
    TREE.mkdir(parents=True)


def many(files):
    fresh()
    paths = [TREE / f"{n // 10000}" / f"{n // 100 % 100}" / f"file-{n}" for n in range(files)]
    for n, path in enumerate(paths):
        if n % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"small file {n}\n")
    most = 256 + files * BYTES_A_FILE // MIB
    before = digest()
    said = measured(f"checkpoint 0 of {files} files", "take", STORE, TREE, most=most)
    must(f": {files} files" in said, "it does not hold all files")
    for path in paths[:: files // 10][:10]:
        path.write_text("changed\n")
    (TREE / "new").write_text("new\n")
    paths[-1].unlink()
    said = measured("checkpoint with ten changed, one new, one gone", "take", STORE, TREE, most=most)
    must(f": {files} files" in said, "it does not hold all files")
    said = measured("rollback of these", "rollback", STORE, TREE, 0, most=most)
    must(digest() == before, "the tree is not what it was")
    print(f"the repository takes {stored()} MiB", flush=True)


def sparse():
    fresh()
    with open(TREE / "sparse", "wb") as file:
        file.truncate(5 << 30)
        file.seek(3 << 30)
        file.write(b"something in the middle")
    (TREE / "beside").write_text("a file beside\n")
    said = measured("checkpoint of a sparse file of 5 GiB", "take", STORE, TREE, most=512)
    must(": 2 files" in said or ": 1 files" in said, "it does not say what it holds")
    must(stored() <= 512, f"the repository takes {stored()} MiB")
    holds = ": 2 files" in said
    os.truncate(TREE / "sparse", 0)
    measured("rollback of it", "rollback", STORE, TREE, 0, most=512)
    found = os.stat(TREE / "sparse")
    if holds:
        must(found.st_size == 5 << 30, f"it has {found.st_size} bytes")
        with open(TREE / "sparse", "rb") as file:
            file.seek(3 << 30)
            must(file.read(23) == b"something in the middle", "it is not what it was")
    print(f"the repository takes {stored()} MiB, the file {found.st_blocks * 512 // MIB} MiB", flush=True)


try:
    many(int(sys.argv[1]))
    sparse()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
