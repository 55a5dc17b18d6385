// The loader: one thread writes the next batch while the caller uses the last one.
#include "data/loader.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/augment.h"

namespace atelier {
namespace {

constexpr std::uint64_t kPermutationStream = stream_of("loader.permutation");

struct Slot {
  Buffer images;
  std::vector<std::int32_t> labels, ids, tokens;
  std::vector<std::int64_t> examples;
  LoaderPosition position, next;
};

}  // namespace

struct Loader::Impl {
  Impl(const Dataset& data, std::vector<std::int64_t> chosen, LoaderOptions wanted);
  ~Impl() { stop(); }

  void start();
  void stop();
  void produce();
  void fill(Slot& slot);
  void order_epoch(std::int64_t epoch);

  const Dataset& dataset;
  std::vector<std::int64_t> indices;
  LoaderOptions options;
  Augmenter augmenter;

  // Of the thread alone while it runs.
  LoaderPosition cursor;
  std::vector<std::int64_t> order;  // of epoch `ordered`
  std::int64_t ordered = -1;

  // Slot i belongs to the thread while filled[i] is false, else to the caller.
  std::array<Slot, 2> slots;
  std::thread thread;
  std::mutex mutex;
  std::condition_variable changed;
  std::array<bool, 2> filled{};
  bool stopping = false;
  std::array<std::exception_ptr, 2> failures;  // of making the slot
  std::size_t current = 0;                     // the slot next() gives or has given
  bool given = false;
};

Loader::Impl::Impl(const Dataset& data, std::vector<std::int64_t> chosen, LoaderOptions wanted)
    : dataset(data),
      indices(std::move(chosen)),
      options(std::move(wanted)),
      augmenter(data, options.seed, options.hflip, options.crop_padding,
                parse_binarize(options.binarize)) {
  if (options.batch_size < 1) {
    throw UsageError(fmt::format("--batch-size {}: expected at least 1", options.batch_size));
  }
  if (options.crop_padding < 0) {
    throw UsageError(fmt::format("--crop-padding {}: expected at least 0", options.crop_padding));
  }
  if (indices.empty()) throw Error(data.source + ": no pictures to load");
  for (std::int64_t index : indices) {
    if (index < 0 || index >= data.size) {
      throw Error(fmt::format("{}: no picture {}, it has {}", data.source, index, data.size));
    }
  }
  std::size_t rows = std::size_t(std::min(options.batch_size, std::int64_t(indices.size())));
  for (Slot& slot : slots) slot.images = Buffer(rows * std::size_t(data.row_bytes()));
}

// Fisher-Yates, one stream an epoch.
void Loader::Impl::order_epoch(std::int64_t epoch) {
  if (ordered == epoch) return;
  order = indices;
  ordered = epoch;
  if (!options.shuffle) return;
  RandomStream random(std::uint64_t(options.seed), kPermutationStream, std::uint64_t(epoch));
  for (std::size_t i = order.size() - 1; i > 0; --i) {
    std::swap(order[i], order[random.below(i + 1)]);
  }
}

void Loader::Impl::fill(Slot& slot) {
  order_epoch(cursor.epoch);
  std::int64_t size = std::int64_t(order.size());
  std::int64_t rows = std::min(options.batch_size, size - cursor.index);
  slot.position = cursor;
  slot.examples.assign(order.begin() + cursor.index, order.begin() + cursor.index + rows);
  slot.ids.resize(std::size_t(rows));
  std::iota(slot.ids.begin(), slot.ids.end(), 0);
  slot.labels.assign(std::size_t(rows), -1);
  std::size_t bytes = std::size_t(dataset.row_bytes());
  std::size_t length =
      options.captions ? std::size_t(options.captions->context_length()) : std::size_t{0};
  slot.tokens.resize(std::size_t(rows) * length);
  std::span<std::byte> images = slot.images.as<std::byte>();
  for (std::size_t row = 0; row < std::size_t(rows); ++row) {
    std::int64_t example = slot.examples[row];
    augmenter.write(example, cursor.epoch, images.subspan(row * bytes, bytes));
    if (!dataset.labels.empty()) slot.labels[row] = dataset.labels[std::size_t(example)];
    if (options.captions) {
      options.captions->write(example, cursor.epoch,
                              std::span(slot.tokens).subspan(row * length, length));
    }
  }
  cursor.index += rows;
  if (cursor.index == size) cursor = {.epoch = cursor.epoch + 1, .index = 0};
  slot.next = cursor;
}

void Loader::Impl::produce() {
  for (std::size_t turn = 0;; turn ^= 1) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || !filled[turn]; });
      if (stopping) return;
    }
    std::exception_ptr error;
    try {
      fill(slots[turn]);
    } catch (...) {
      error = std::current_exception();
    }
    std::lock_guard lock(mutex);
    filled[turn] = true;
    failures[turn] = error;
    changed.notify_all();
    if (error) return;
  }
}

// Signals are the main thread's: this one is born with all of them blocked but that of a mapped
// file which was cut short, since it is this thread that reads the pictures.
void Loader::Impl::start() {
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::exception_ptr error;
  try {
    thread = std::thread([this] { produce(); });
  } catch (...) {
    error = std::current_exception();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) std::rethrow_exception(error);
}

void Loader::Impl::stop() {
  if (!thread.joinable()) return;
  {
    std::lock_guard lock(mutex);
    stopping = true;
    changed.notify_all();
  }
  thread.join();
  stopping = false;
  filled = {};
  failures = {};
  current = 0;
  given = false;
}

Loader::Loader(const Dataset& dataset, std::vector<std::int64_t> indices, LoaderOptions options)
    : impl_(std::make_unique<Impl>(dataset, std::move(indices), std::move(options))) {}
Loader::~Loader() = default;

std::int64_t Loader::size() const { return std::int64_t(impl_->indices.size()); }

std::int64_t Loader::batches_per_epoch() const {
  return (size() + impl_->options.batch_size - 1) / impl_->options.batch_size;
}

void Loader::seek(LoaderPosition position) {
  if (position.epoch < 0 || position.index < 0 || position.index > size()) {
    throw Error(fmt::format("loader: no place {} in epoch {}, an epoch has {}", position.index,
                            position.epoch, size()));
  }
  impl_->stop();
  if (position.index == size()) position = {.epoch = position.epoch + 1, .index = 0};
  impl_->cursor = position;
}

HostBatch Loader::next() {
  Impl& impl = *impl_;
  if (!impl.thread.joinable()) impl.start();
  std::unique_lock lock(impl.mutex);
  if (impl.given) {
    impl.filled[impl.current] = false;
    impl.current ^= 1;
    impl.given = false;
    impl.changed.notify_all();
  }
  impl.changed.wait(lock, [&] { return impl.filled[impl.current]; });
  if (impl.failures[impl.current]) std::rethrow_exception(impl.failures[impl.current]);
  impl.given = true;
  const Slot& slot = impl.slots[impl.current];
  std::size_t rows = slot.examples.size();
  return {.rows = std::int64_t(rows),
          .images =
              slot.images.as<const std::byte>().first(rows * std::size_t(impl.dataset.row_bytes())),
          .labels = slot.labels,
          .ids = slot.ids,
          .examples = slot.examples,
          .tokens = slot.tokens,
          .position = slot.position,
          .next = slot.next};
}

}  // namespace atelier
