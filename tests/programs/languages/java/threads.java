import java.nio.file.Files;
import java.nio.file.Path;
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
        // Through java.nio, which looks for sockets when it is first used.
        Path file = Path.of("sum");
        Files.writeString(file, Integer.toString(sum));
        System.out.println(Files.readString(file));
    }
}
