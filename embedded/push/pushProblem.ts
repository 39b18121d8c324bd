/** What is wrong with a push, in words for the one who pushes. */
export class PushProblem extends Error {}
