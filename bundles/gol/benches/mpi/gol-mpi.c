// The agents' kernel and boards under MPI: blocking exchange with MPI_Sendrecv, west and east first, then north and south with the
// corners, as a textbook's stencil code does. Prints generations a second, the halo round's percentiles and the board's hash.
// usage: mpirun -n REGIONS gol-mpi COLUMNS ROWS WIDTH HEIGHT HALO GENERATIONS SEED
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct gol;
struct gol *gol_new(size_t columns, size_t rows, size_t region, size_t width, size_t height, size_t halo, uint64_t seed);
size_t gol_rectangle_bytes(size_t columns, size_t rows);
void gol_pack(const struct gol *, ptrdiff_t x, size_t columns, ptrdiff_t y, size_t rows, uint8_t *bytes);
void gol_unpack(struct gol *, ptrdiff_t x, size_t columns, ptrdiff_t y, size_t rows, const uint8_t *bytes);
void gol_advance(struct gol *, size_t generations);
uint64_t gol_hash(const struct gol *);

static int ascending(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    if (argc != 8) {
        fprintf(stderr, "usage: gol-mpi COLUMNS ROWS WIDTH HEIGHT HALO GENERATIONS SEED\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    int dimensions[2] = {atoi(argv[2]), atoi(argv[1])}, torus[2] = {1, 1}, rank, ranks, north, south, west, east;
    size_t width = strtoul(argv[3], NULL, 10), height = strtoul(argv[4], NULL, 10), halo = strtoul(argv[5], NULL, 10);
    size_t generations = strtoul(argv[6], NULL, 10), rounds = generations / halo;
    MPI_Comm grid;
    MPI_Cart_create(MPI_COMM_WORLD, 2, dimensions, torus, 0, &grid);
    MPI_Comm_rank(grid, &rank);
    MPI_Comm_size(grid, &ranks);
    MPI_Cart_shift(grid, 0, 1, &north, &south);
    MPI_Cart_shift(grid, 1, 1, &west, &east);
    struct gol *board = gol_new(dimensions[1], dimensions[0], rank + 1, width, height, halo, strtoull(argv[7], NULL, 10));
    size_t side = gol_rectangle_bytes(halo, height), row = gol_rectangle_bytes(width + 2 * halo, halo);
    uint8_t *out = malloc(side + row), *in = malloc(side + row);
    double *times = malloc(rounds * sizeof *times);
    if (!board || !out || !in || !times) MPI_Abort(grid, 1);
    ptrdiff_t w = width, h = height, e = halo;

    MPI_Barrier(grid);
    double start = MPI_Wtime();
    for (size_t round = 0; round < rounds; round++) {
        double begin = MPI_Wtime();
        gol_pack(board, 0, halo, 0, height, out);
        MPI_Sendrecv(out, side, MPI_BYTE, west, 0, in, side, MPI_BYTE, east, 0, grid, MPI_STATUS_IGNORE);
        gol_unpack(board, w, halo, 0, height, in);
        gol_pack(board, w - e, halo, 0, height, out);
        MPI_Sendrecv(out, side, MPI_BYTE, east, 1, in, side, MPI_BYTE, west, 1, grid, MPI_STATUS_IGNORE);
        gol_unpack(board, -e, halo, 0, height, in);
        gol_pack(board, -e, width + 2 * halo, 0, halo, out);
        MPI_Sendrecv(out, row, MPI_BYTE, north, 2, in, row, MPI_BYTE, south, 2, grid, MPI_STATUS_IGNORE);
        gol_unpack(board, -e, width + 2 * halo, h, halo, in);
        gol_pack(board, -e, width + 2 * halo, h - e, halo, out);
        MPI_Sendrecv(out, row, MPI_BYTE, south, 3, in, row, MPI_BYTE, north, 3, grid, MPI_STATUS_IGNORE);
        gol_unpack(board, -e, width + 2 * halo, -e, halo, in);
        times[round] = MPI_Wtime() - begin;
        gol_advance(board, halo);
    }
    double elapsed = MPI_Wtime() - start;
    qsort(times, rounds, sizeof *times, ascending);
    double mine[2] = {times[rounds / 2] * 1e6, times[(size_t)(rounds * 0.999)] * 1e6}, worst[2];
    uint64_t hash = gol_hash(board), sum;
    MPI_Reduce(mine, worst, 2, MPI_DOUBLE, MPI_MAX, 0, grid);
    MPI_Reduce(&hash, &sum, 1, MPI_UINT64_T, MPI_SUM, 0, grid);
    if (rank == 0) printf("%.0f %.0f %.0f %016lx\n", generations / elapsed, worst[0], worst[1], (unsigned long)sum);
    MPI_Finalize();
    return 0;
}
