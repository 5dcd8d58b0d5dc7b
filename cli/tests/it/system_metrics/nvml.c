/* Stands in for the library of NVIDIA's driver, with two cards, of which the second tells of its power alone. */

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, CARDS = 2 };

struct memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct utilization {
    unsigned gpu, memory;
};

static const char cards[CARDS] = {0};

int nvmlInit_v2(void) {
    return SUCCESS;
}

int nvmlShutdown(void) {
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = CARDS;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const char **card) {
    if (index >= CARDS) {
        return INVALID_ARGUMENT;
    }
    *card = &cards[index];
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(const char *card, struct utilization *told) {
    if (card != &cards[0]) {
        return NOT_SUPPORTED;
    }
    told->gpu = 37;
    told->memory = 12;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(const char *card, struct memory *told) {
    if (card != &cards[0]) {
        return NOT_SUPPORTED;
    }
    told->total = 24ULL << 30;
    told->reserved = 1ULL << 30;
    told->used = 3ULL << 30;
    told->free = 20ULL << 30;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(const char *card, unsigned *milliwatts) {
    *milliwatts = card == &cards[0] ? 215500 : 20250;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(const char *card, int sensor, unsigned *degrees) {
    if (card != &cards[0] || sensor != 0) {
        return NOT_SUPPORTED;
    }
    *degrees = 61;
    return SUCCESS;
}
