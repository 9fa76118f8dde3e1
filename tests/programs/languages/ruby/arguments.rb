puts ARGV.join('|')
