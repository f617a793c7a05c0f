#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

void add_verb_of_one(CLI::App& to, tool& with, const char* name, const char* about,
                     const char* said,
                     void (*fill)(control::Request::Builder, const std::string&)) {
  const auto who = std::make_shared<std::string>();
  add_verb(to, with, name, about,
           [&with, who, said, fill] {
             return with.show([&](auto request) { fill(request, *who); },
                              [&](auto) { return printable(*who) + said; });
           })
      .add_option("NAME", *who, "as `edupulse " + to.get_name() + " ls` says it")
      ->required();
}

} // namespace edupulse::cli
