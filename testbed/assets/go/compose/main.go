// Reads the compose file in its argument with the code of the current `docker compose`, all profiles included, and
// prints what it means as JSON; or says what is wrong with it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithWorkingDirectory(filepath.Dir(file)), cli.WithProfiles([]string{"*"}))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	meaning, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(meaning)
	return err
}
