import java.util.Scanner;

public class Main {
    public static void main(String[] args) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) System.out.println("hello " + lines.nextLine());
    }
}
