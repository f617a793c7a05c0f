#pragma once
// What a random test has covered, for the ledger of soaks (docs/soak_ledger.md): a line in the file
// that EDUPULSE_SOAK_FIGURES names, at the end of the program.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace edupulse::test {

class soak_figures {
public:
  /// Of this program. `what`: of its runs; see docs/soak_ledger.md.
  explicit soak_figures(std::string what) : what_(std::move(what)) {}
  soak_figures(const soak_figures&) = delete;
  soak_figures& operator=(const soak_figures&) = delete;
  ~soak_figures() {
    const char* file = std::getenv("EDUPULSE_SOAK_FIGURES");
    if (file == nullptr || runs_ == 0)
      return;
    std::string faults;
    for (const auto& [word, count] : faults_)
      faults += (faults.empty() ? "\"" : ", \"") + word + "\": " + std::to_string(count);
    std::ofstream(file, std::ios::app)
        << R"({"what": ")" << what_ << R"(", "runs": )" << runs_ << R"(, "seeds": [)" << first_
        << ", " << last_ << R"(], "node_seconds": )" << node_seconds_ << R"(, "faults": {)"
        << faults << "}}\n";
  }

  void add_run(std::uint64_t seed, double node_seconds) {
    first_ = runs_ == 0 ? seed : std::min(first_, seed);
    last_ = std::max(last_, seed);
    ++runs_;
    node_seconds_ += node_seconds;
  }
  void add_fault(const std::string& word) { ++faults_[word]; }

private:
  std::string what_;
  std::uint64_t runs_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
  double node_seconds_ = 0;
  std::map<std::string, std::uint64_t> faults_;
};

} // namespace edupulse::test
