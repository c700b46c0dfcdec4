/* Transport over the board's console, a UART that is polled: docs/serial.md tells every frame.
 *
 *     00 | COBS(type, sequence, payload, CRC-32 of all before) | 00       integers little-endian
 *
 * The host asks, the board answers, one frame at a time: while the model runs nobody listens, and a UART without FIFO
 * loses what arrives. What is damaged is answered by NAK. A RUN whose sequence number is that of the last one was asked
 * again because its answer was lost: the answer is said again, and nothing runs.
 *
 * A sample is received right where the model reads it, and an answer sent from where it was written, so that this takes
 * hardly any RAM. */
#include "board.h"
#include "energy.h"
#include "fault.h"
#include "harness.h"
#include "sample.h"
#include "transport.h"

#if __has_include("layer_marks.h")
#include "layers.h"
#endif

#define VERSION 3u
#define HEAD_BYTES 5u
#define CRC_BYTES 4u
#define BASE_BAUD 115200u
/* Polls without a good frame before the rate is that of the beginning again: a host that was started anew speaks at
 * that one. Some 20 cycles each, a second in all. */
#define PATIENCE (CLOCK_HZ / 20u)

enum { HELLO = 1, INFO, RUN, RESULT, NAK, END, DONE, FAULT, RATE, RATED, PING, PONG, LAYERS, LAYERED, REPEAT, REPEATED };

/* Of the linker script: what is flashed. */
extern const uint8_t mcusim_flash_start[], mcusim_flash_end[];
extern sample_t mcusim_input;
extern answer_t mcusim_output;

static const uint8_t board_name[] = BOARD_NAME;
static uint32_t boot, digest, baud, last, answered; /* `answered`: is there an answer to `last`? */
static uint32_t window;                             /* cycles around an empty model */
static uint32_t runs;                               /* of the next new sample, for who measures energy; 0 and 1: one */
static uint32_t polls;                              /* in vain, since the last good frame */
static uint32_t result[3];                          /* cycles of the model, samples, counter */

/* ---- CRC-32 of Ethernet and zlib, half a byte at a time ---------------------------------------------------------- */

static uint32_t crc_of(uint32_t crc, uint32_t byte)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    crc ^= byte;
    crc = table[crc & 15u] ^ (crc >> 4);
    return table[crc & 15u] ^ (crc >> 4);
}

/* ---- Sending ------------------------------------------------------------------------------------------------------- */

/* A frame in three pieces: what stands in `head`, `more` from elsewhere, the CRC of both. */
typedef struct {
    uint8_t head[HEAD_BYTES];
    const uint8_t *words, *more;
    uint32_t words_bytes, more_bytes;
    uint8_t crc[CRC_BYTES];
} frame_t;

static uint32_t byte_at(const frame_t *frame, uint32_t i)
{
    if (i < HEAD_BYTES) {
        return frame->head[i];
    }
    i -= HEAD_BYTES;
    if (i < frame->words_bytes) {
        return frame->words[i];
    }
    i -= frame->words_bytes;
    return i < frame->more_bytes ? frame->more[i] : frame->crc[i - frame->more_bytes];
}

/* COBS: a block is its length and up to 254 bytes that are not 0; one of fewer is followed by a 0 that is not sent. */
static void send_stuffed(const frame_t *frame, uint32_t bytes)
{
    uint32_t from = 0;
    console_write(0);
    for (;;) {
        uint32_t end = from;
        while (end < bytes && end - from < 254u && byte_at(frame, end) != 0) {
            end++;
        }
        console_write(end - from + 1u);
        const uint32_t full = end - from == 254u;
        for (; from < end; from++) {
            console_write(byte_at(frame, from));
        }
        if (from == bytes) {
            break;
        }
        from += full ? 0u : 1u;
    }
    console_write(0);
}

static void put_word(uint8_t *to, uint32_t word)
{
    for (uint32_t i = 0; i < 4u; i++) {
        to[i] = (uint8_t)(word >> (8u * i));
    }
}

static void send(uint32_t type, uint32_t sequence, const void *words, uint32_t words_bytes, const void *more, uint32_t more_bytes)
{
    frame_t frame = {.words = words, .more = more, .words_bytes = words_bytes, .more_bytes = more_bytes};
    const uint32_t bytes = HEAD_BYTES + words_bytes + more_bytes;
    uint32_t crc = 0xFFFFFFFFu;
    frame.head[0] = (uint8_t)type;
    put_word(frame.head + 1, sequence);
    for (uint32_t i = 0; i < bytes; i++) {
        crc = crc_of(crc, byte_at(&frame, i));
    }
    put_word(frame.crc, ~crc);
    send_stuffed(&frame, bytes + CRC_BYTES);
}

static void send_info(uint32_t sequence)
{
    const uint32_t words[] = {
        VERSION, boot, digest, CHIP_ID, sizeof mcusim_input, sizeof mcusim_output, mcusim_samples_done, REGISTER(DWT_CYCCNT),
    };
    send(INFO, sequence, words, sizeof words, board_name, sizeof board_name);
}

static void send_result(uint32_t type, uint32_t sequence)
{
    send(type, sequence, result, sizeof result, &mcusim_output, sizeof mcusim_output);
}

/* ---- Receiving ----------------------------------------------------------------------------------------------------- */

/* What has arrived of a frame. The last four bytes are the CRC, so each byte is looked at when four more are there. */
typedef struct {
    uint8_t head[HEAD_BYTES];
    uint8_t word[4]; /* the beginning of the payload, which may belong to no sample */
    uint32_t count;  /* bytes that were looked at */
    uint32_t delayed, late; /* the last ones, and how many */
    uint32_t crc;
    uint32_t too_long;
} arrival_t;

static void look_at(arrival_t *frame, uint32_t byte)
{
    const uint32_t at = frame->count++;
    frame->crc = crc_of(frame->crc, byte);
    if (at < HEAD_BYTES) {
        frame->head[at] = (uint8_t)byte;
        return;
    }
    if (at - HEAD_BYTES < sizeof frame->word) {
        frame->word[at - HEAD_BYTES] = (uint8_t)byte;
    }
    if (at - HEAD_BYTES >= sizeof mcusim_input) {
        frame->too_long |= at - HEAD_BYTES >= sizeof frame->word;
    } else if (frame->head[0] == RUN) {
        ((uint8_t *)&mcusim_input)[at - HEAD_BYTES] = (uint8_t)byte;
    }
}

static void arrive(arrival_t *frame, uint32_t byte)
{
    if (frame->late == CRC_BYTES) {
        look_at(frame, frame->delayed & 0xFFu);
        frame->late--;
    }
    frame->delayed = frame->delayed >> 8 | byte << 24;
    frame->late++;
}

static uint32_t word_of(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void set_rate(uint32_t wanted)
{
    console_flush();
    if (console_rate(wanted)) {
        baud = wanted;
    }
}

static uint32_t next_byte(void)
{
    while (!console_received()) {
        if (++polls == PATIENCE && baud != BASE_BAUD) {
            set_rate(BASE_BAUD);
        }
    }
    return console_read();
}

/* Waits for a frame; whether it is a good one. COBS is undone as bytes arrive. */
static int receive(arrival_t *frame)
{
    uint32_t code, left, byte;
    *frame = (arrival_t){.crc = 0xFFFFFFFFu};
    do {
        code = next_byte();
    } while (code == 0); /* between two frames */
    left = code;
    while ((byte = next_byte()) != 0) {
        if (--left != 0) {
            arrive(frame, byte);
            continue;
        }
        if (code != 0xFFu) {
            arrive(frame, 0);
        }
        code = left = byte;
    }
    if (left != 1u || frame->late != CRC_BYTES || frame->count < HEAD_BYTES || frame->too_long || ~frame->crc != frame->delayed) {
        return 0;
    }
    polls = 0;
    return 1;
}

/* ---- What main() asks for ------------------------------------------------------------------------------------------ */

void transport_open(void)
{
    uint32_t crc = 0xFFFFFFFFu;
    console_start();
    console_receiver();
    energy_pin_start();
    baud = BASE_BAUD;
    mcusim_time_nothing();
    window = mcusim_model_cycles;
    for (const uint8_t *byte = mcusim_flash_start; byte < mcusim_flash_end; byte++) {
        crc = crc_of(crc, *byte);
    }
    digest = ~crc;
}

static void end(uint32_t sequence)
{
    const uint32_t words[] = {mcusim_samples_done, mcusim_stack_used_bytes(), REGISTER(DWT_CYCCNT), window};
    send(DONE, sequence, words, sizeof words, 0, 0);
}

/* One frame that is no new sample. The first HELLO after a reset names this life of the board by its sequence number,
 * which the host has drawn: a board has nothing random. */
static void answer(const arrival_t *frame, uint32_t sequence)
{
    switch (frame->head[0]) {
    case HELLO:
        boot = boot != 0 ? boot : sequence;
        runs = 1; /* what another host has asked for is not this one's */
        send_info(sequence);
        break;
    case RUN:
        send_result(RESULT, sequence);
        break;
    case PING:
        send_result(PONG, sequence);
        break;
    case RATE:
        send(RATED, sequence, frame->word, sizeof frame->word, 0, 0);
        set_rate(word_of(frame->word));
        break;
    case END:
        end(sequence);
        break;
    case REPEAT:
        runs = word_of(frame->word);
        send(REPEATED, sequence, frame->word, sizeof frame->word, 0, 0);
        break;
#ifdef MODEL_LAYERS
    case LAYERS:
        send(LAYERED, sequence, &mcusim_layer_cycles, sizeof mcusim_layer_cycles, 0, 0);
        break;
#endif
    default:
        send(NAK, sequence, 0, 0, 0, 0);
    }
}

/* Never returns 0: a host may come, be done and come again, and who counts on a reset for that needs a hand. */
int transport_read_sample(void *input, uint32_t bytes)
{
    arrival_t frame;
    (void)input; /* is mcusim_input */
    for (;;) {
        if (!receive(&frame)) {
            send(NAK, 0, 0, 0, 0, 0);
            continue;
        }
        const uint32_t sequence = word_of(frame.head + 1);
        const uint32_t new_sample = frame.head[0] == RUN && !(answered && sequence == last);
        if (new_sample && boot != 0 && frame.count == HEAD_BYTES + bytes) {
            last = sequence;
            answered = 0;
            mcusim_energy_pin_high();
            return 1;
        }
        if (new_sample) { /* from a host that has not seen that the board was reset, or of another model */
            send(NAK, sequence, 0, 0, 0, 0);
        } else {
            answer(&frame, sequence);
        }
    }
}

void transport_write_output(const void *output, uint32_t bytes)
{
    (void)output; /* is mcusim_output */
    (void)bytes;
    for (uint32_t run = 1; run < runs; run++) {
        mcusim_infer(&mcusim_input, &mcusim_output);
    }
    energy_pin_low();
    runs = 1;
    result[0] = mcusim_model_cycles;
    result[1] = mcusim_samples_done + 1u;
    result[2] = REGISTER(DWT_CYCCNT);
    answered = 1;
    send_result(RESULT, last);
}

_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes)
{
    (void)samples;
    (void)stack_bytes;
    for (;;) {
        __asm__ volatile("");
    }
}

/* Said at once, and again to whoever asks for anything. */
_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes)
{
    arrival_t frame;
    for (;;) {
        send(FAULT, last, fault, sizeof *fault, stack, stack_bytes);
        while (!receive(&frame)) {
        }
    }
}
