#pragma once
// Who this node is, from one start to the next.

#include "schemas/ids.hpp"
#include <cstdint>
#include <filesystem>

namespace edupulse {

struct node_identity {
  node_id id;
  std::uint64_t epoch = 1; ///< counts the starts of this id: every start is greater than the last
};

/// Before anything in it is used. Errors: `refused` when anybody may write there.
expected<void> check_data_dir(const std::filesystem::path& data_dir);

/// Reads `node-identity` in the data directory, counts the start and has that on the disk before it
/// returns; makes the file, with a random id, where there is none. Without a directory (empty): a
/// random id in its first epoch. Call with the directory locked against other processes. Errors:
/// `io` naming the file; `malformed` when it makes no sense: an epoch that was used before would
/// let two lives of a node be taken for one, so nothing is guessed.
expected<node_identity> load_identity(const std::filesystem::path& data_dir);

} // namespace edupulse
