import asyncio
async def main():
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.01)
    process = await asyncio.create_subprocess_exec("/bin/sh", "-c", "echo ja; exit 4", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out, process.returncode, await loop.run_in_executor(None, sum, [1, 2])
print(asyncio.run(main()))
