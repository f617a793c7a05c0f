#include "greeter.hpp"
#include "schemas/json.hpp"

greeter::greeter(const edupulse::plugin_settings& settings) : word_(settings.text("word")) {}

edupulse::outcome greeter::handle(VisitorCame::Reader visitor, edupulse::context& ctx) {
  // The program has no use for this, and must have it for its plugins all the same.
  if (!edupulse::to_json(ctx.event(), edupulse::json_form::cloudevents))
    return edupulse::outcome::reject("it has no form in JSON");
  const auto words =
      word_ + ", " + visitor.getName().cStr() + ", our visitor " + std::to_string(++greeted_);
  const auto sent = ctx.publish<VisitorGreeted>([&](auto to) { to.setWords(words); });
  return sent ? edupulse::outcome::ok() : edupulse::outcome::retry(sent.error().text);
}

std::string greeter::snapshot() const { return std::to_string(greeted_); }
void greeter::restore(std::string_view from) { greeted_ = std::stoi(std::string(from)); }

EDUPULSE_PLUGIN(edupulse::plugin("greeter", "1.0.0")
                    .about("Greets visitors")
                    .setting("word", "Welcome", "how a greeting begins")
                    .publishes<VisitorGreeted>()
                    .handler<VisitorCame, greeter>("greeter"));
