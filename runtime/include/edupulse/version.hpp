#pragma once
// The version of these headers. CMakeLists.txt reads it from here.

#define EDUPULSE_VERSION "0.1.0"
