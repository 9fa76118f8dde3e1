import multiprocessing, os, sys
def work(x):
    return x * 2, __name__, multiprocessing.current_process().name
if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, sorted({(a, b) for a, b, _ in pool.map(work, range(4))}))
        queue = context.SimpleQueue()
        process = context.Process(target=queue.put, args=(method,))
        process.start()
        print(queue.get(), process.join(), process.exitcode)
