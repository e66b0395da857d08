// Package pb holds the protobuf messages of the stream protocols. The .proto files
// beside it are their definition; docs/ explains each. Nothing in here is ever
// signed or hashed as such.
package pb

//go:generate protoc --go_out=. --go_opt=paths=source_relative frame.proto submit.proto deliver.proto mailbox.proto blob.proto descriptor.proto directory.proto publish.proto
