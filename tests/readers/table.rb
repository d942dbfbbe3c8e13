# Reads a table from the input as Canvas does (lib/gradebook_importer.rb: Ruby's CSV, and a converter that gives whatever
# looks like a number a decimal point). Rows come out as JSON.
require "csv"
require "json"

number = lambda do |cell|
  next cell unless cell.is_a?(String) && cell.match?(/\A-?[0-9.,]+%?\z/)

  parts = cell.split(/[,.]/)
  last = parts.pop
  parts.empty? ? last : "#{parts.join}.#{last}"
end

text = $stdin.read.force_encoding("UTF-8")
rows = CSV.parse(text, converters: [number], skip_lines: /^[;, ]+$/)
puts JSON.generate(rows.map { |row| row.map(&:to_s) })
