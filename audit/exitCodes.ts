/** How every command of the auditor ends. */
export const EXIT_INTACT = 0;
export const EXIT_DAMAGED = 1;
export const EXIT_NOT_RUN = 2;
