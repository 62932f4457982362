Gem::Specification.new do |gem|
  gem.name = "greet"
  gem.version = "1.0"
  gem.summary = "Greets"
  gem.authors = ["The Lapstrake developers"]
  gem.license = "Apache-2.0"
  gem.homepage = "https://example.org/greet"
  gem.required_ruby_version = ">= 2.7"
  gem.files = ["lib/greet.rb", "bin/greet-ruby"]
  gem.bindir = "bin"
  gem.executables = ["greet-ruby"]
end
