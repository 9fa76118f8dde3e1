"""A child process within the loop."""
import asyncio, sys


async def main():
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input()[::-1])", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate(b"ko\n")
    assert child.returncode == 0
    print(out.decode().strip())


asyncio.run(main())
