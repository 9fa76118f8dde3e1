-- Lua has coroutines, and processes through popen.
local started = {}
for number = 0, 3 do
    started[number] = coroutine.wrap(function() coroutine.yield(number * number) end)
end
local sum = 0
for number = 0, 3 do
    sum = sum + started[number]()
end
local pipe = io.popen("echo 14")
assert(pipe:read("n") == sum)
pipe:close()
print(sum)
