#pragma once

/// Marks what an installed libxet exposes; everything else is compiled with hidden visibility.
#if defined(__GNUC__)
#define XET_EXPORT __attribute__((visibility("default")))
#else
#define XET_EXPORT
#endif
