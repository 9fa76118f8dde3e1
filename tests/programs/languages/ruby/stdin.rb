STDIN.each_line { |line| puts "hello #{line.chomp}" }
