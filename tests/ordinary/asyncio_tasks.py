"""Tasks, time-outs, locks and a thread beside the loop."""
import asyncio, time


async def main():
    lock = asyncio.Lock()

    async def one(number):
        async with lock:
            await asyncio.sleep(0)
        return number

    assert await asyncio.gather(*map(one, range(20))) == list(range(20))
    assert await asyncio.to_thread(time.strftime, "x") == "x"
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    except asyncio.TimeoutError:
        print("ok")


asyncio.run(main())
