# Greets who is named.
module Greet
  def self.to(name)
    "Ahoy, #{name}!"
  end
end
