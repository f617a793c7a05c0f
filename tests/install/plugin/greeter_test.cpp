#include "greeter.hpp"
#include <edupulse/testing.hpp>

int main() {
  edupulse::plugin_settings settings;
  settings.set("word", "Hello");
  edupulse::testing::bus bus;
  const auto made = [&] { return std::make_unique<greeter>(settings); };
  const auto subscribed = bus.subscribe<VisitorCame>("greeter", made);
  const auto receipt = bus.publish<VisitorCame>([](auto visitor) { visitor.setName("Ada"); });
  const auto greeted = bus.expect_published<VisitorGreeted>();
  return subscribed && receipt && greeted && (*greeted)->getWords() == "Hello, Ada, our visitor 1"
             ? 0
             : 1;
}
