#pragma once
// What a run says at its end, and where it is written.

#include "options.hpp"
#include "report.hpp"
#include <fstream>
#include <functional>
#include <memory>

namespace edupulse::simulator {

/// What is looked at in every run: its name, and what it means.
std::vector<std::pair<std::string, std::string>> promises_checked();
/// What both modes say of a plan before it is run.
run_report report_of(const plan& what);
std::string first_sentence(const std::string& text);
/// Of a scenario, for people.
std::string explanation(const plan& what);
/// The verdict, the faults, the ledger; at the end where the report is.
std::string summary(const run_report& what);

/// The files of a run. They are made before it, so that a path that cannot be written is told then.
class outputs {
public:
  /// Errors: `io`, naming the file.
  expected<void> open(const options& how);
  expected<void> write(const run_report& what);
  expected<void> write(const sweep_report& what);
  /// Of a trace, when one was asked for.
  std::function<void(std::string_view)> tracer();

private:
  std::filesystem::path page_;
  std::filesystem::path json_;
  std::string trace_;
  std::shared_ptr<std::ofstream> trace_file_;
};

} // namespace edupulse::simulator
