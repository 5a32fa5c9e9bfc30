#include "allowlists/in_force.h"
