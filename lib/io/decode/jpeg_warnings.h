// What libjpeg had to guess while OpenCV decoded a picture.
#pragma once

// Forgets what was said before in this thread.
void clear_jpeg_damage();
// The first warning since then that tells of lost or broken data; null: none.
const char* jpeg_damage();
