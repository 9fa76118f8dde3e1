import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Main {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Callable<Integer>> work = List.of(() -> 0, () -> 1, () -> 4, () -> 9);
        int sum = 0;
        for (Future<Integer> square : pool.invokeAll(work)) sum += square.get();
        pool.shutdown();
        System.out.println(sum);
    }
}
