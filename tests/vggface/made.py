"""Label files made for tests: a hundred people would not fit here, three do."""

import io
import tarfile
from pathlib import Path

GOOD = b"00000001 http://a.example/x.jpg 10.00 20.00 110.50 120.50 3.00 2.31 1"
LINES = {
    "A.J._Ray": [
        GOOD,
        b"00000002 http://a.example/x.jpg 11.00 20.00 111.50 120.50 4.00 1.00 0",
        b"00000003 https://b.example/y.PNG?size=2 -5.25 20.00 60.00 85.25 1.00 0.00 1",
    ],
    "Mira_Sol": [
        b'00000001 http://a.example/a,"b".jpg 1.00 2.00 31.00 32.00 3.00 4.50 1',
        b"00000002 http://c.example:81/image.php?id=7 1.00 2.00 301.00 302.00 2.00 4.50 0",
    ],
    "Z-Z": [b"00000005 http://a.example/x.jpg 0.00 0.00 64.00 64.00 5.00 3.00 1"],
}
FILES = {f"vgg_face_dataset/files/{name}.txt": b"\n".join(ls) + b"\n" for name, ls in LINES.items()}
COMPANIONS = {"vgg_face_dataset/README": b"read me", "vgg_face_dataset/licence.txt": b"CC"}


def write_archive(
    path: Path, files: dict[str, bytes] | None = None, *more: tarfile.TarInfo
) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (COMPANIONS | FILES if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in more:
            archive.addfile(member)
    return path


def write_folder(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    for name, data in (COMPANIONS | FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
