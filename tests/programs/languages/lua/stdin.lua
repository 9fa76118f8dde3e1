for line in io.lines() do
    print("hello " .. line)
end
