module interop/nodes

go 1.25.0
