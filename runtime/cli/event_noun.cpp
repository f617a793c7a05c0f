#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

struct choice {
  std::string name;
  std::string fields = "{}";
  std::string subject;
  std::string key;
};

std::string published_text(control::Answer::Reader answer) {
  const auto from = answer.getPublished();
  std::string text = std::string(from.getId().cStr()) + " is published\n";
  if (const auto unknown = from.getUnknownFields(); unknown > 0)
    text += std::to_string(unknown) + " of its fields are not in the schema, and were left out\n";
  return text;
}

} // namespace

void add_event(CLI::App& to, tool& with) {
  const auto what = std::make_shared<choice>();
  auto& noun = add_noun(to, "event", "events");
  auto& verb = add_verb(noun, with, "publish", "one, of a type that a plugin of the node knows",
                        [&with, what] {
                          return with.show(
                              [&](auto request) {
                                auto to_fill = request.initPublish();
                                to_fill.setName(what->name);
                                to_fill.setFields(what->fields);
                                to_fill.setSubject(what->subject);
                                to_fill.setKey(what->key);
                              },
                              published_text);
                        });
  verb.add_option("NAME", what->name, "such as lesson.published")->required();
  verb.add_option("FIELDS", what->fields, "a JSON object; fields that it leaves out are empty");
  verb.add_option("--subject", what->subject, "what follows the name in its topic");
  verb.add_option("--key", what->key, "in place of the one in its fields");
}

} // namespace edupulse::cli
