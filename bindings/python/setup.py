"""The wheel: setuptools around the project's own CMake build, with the system's libraries."""

import os
import pathlib
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).parent.resolve()


class CMakeBuild(build_ext):
    """Builds the module with CMake, in the project that this folder lies in."""

    def build_extension(self, ext):
        source = pathlib.Path(os.environ.get("SYNCLINE_SOURCE", HERE.parents[1]))
        if not (source / "crdt").is_dir():
            raise SystemExit(f"{source} is not Syncline's source tree; name it by SYNCLINE_SOURCE")
        build = pathlib.Path(self.build_temp).resolve()
        build.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cmake", "-S", source, "-B", build, "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=Release", "-DSYNCLINE_TESTS=OFF",
                        f"-DPython3_EXECUTABLE={sys.executable}"], check=True)
        subprocess.run(["cmake", "--build", build, "--target", "python_core"], check=True)
        target = pathlib.Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        built = next((build / "python" / "syncline").glob("_core*.so"))
        self.copy_file(str(built), str(target))


setup(ext_modules=[Extension("syncline._core", sources=[])], cmdclass={"build_ext": CMakeBuild})
