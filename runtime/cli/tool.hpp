#pragma once
// What every verb of `edupulse` has: how it was called, the node it asks, and how it says things.

#include "runtime/cli/command_line.hpp"
#include "runtime/cli/show.hpp"
#include "schemas/control.capnp.h"
#include "schemas/error.hpp"
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <tl/expected.hpp>

namespace edupulse::cli {

/// Why a request came to nothing, and what the program exits with.
struct trouble {
  int exit_code = refused;
  std::string code; ///< as in schemas/error.hpp
  std::string text;
};

class tool {
public:
  using filler = std::function<void(control::Request::Builder)>;
  using reader = std::function<void(control::Answer::Reader)>;

  /// Options that every verb takes.
  void add_options(CLI::App& to);
  /// Whether it was said which node is meant.
  bool has_node() const { return !where().empty(); }

  /// One request; `read` is called with an answer that is no error.
  tl::expected<void, trouble> ask(const filler& fill, const reader& read) const;
  /// One request whose answer is printed: as `text` says it, or as JSON, as `shape` left it.
  int show(const filler& fill, const std::function<std::string(control::Answer::Reader)>& text,
           const std::function<void(json&)>& shape = {}) const;

  int print(const std::string& text) const;
  int print(const json& what) const { return print(dump(what)); }
  /// On standard error; with --json on standard output, too.
  int complain(const trouble& what) const;

  bool json_wanted = false;
  /// The verb that was asked for; its answer is the exit code.
  std::function<int()> run;

private:
  std::filesystem::path where() const;

  std::string socket_;
  std::string data_;
  unsigned patience_s_ = 60;
};

/// Of the union, as JSON: what the node has answered.
json answer_to_json(control::Answer::Reader from);

} // namespace edupulse::cli
