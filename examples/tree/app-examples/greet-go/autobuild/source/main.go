// Greets who is named.
package main

import (
	"fmt"
	"os"
)

var version = "unknown"

func main() {
	name := "world"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	fmt.Printf("Ahoy, %s! (version %s)\n", name, version)
}
