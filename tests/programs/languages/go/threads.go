package main

import (
	"fmt"
	"sync"
)

func main() {
	var group sync.WaitGroup
	squares := make(chan int, 4)
	for number := 0; number < 4; number++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			squares <- number * number
		}(number)
	}
	group.Wait()
	close(squares)
	sum := 0
	for square := range squares {
		sum += square
	}
	fmt.Println(sum)
}
