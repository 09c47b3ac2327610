/** Pictures, drawn on a grid of 24. They are all beside words, so nobody hears them. */

const PATHS = {
  chat: [
    "M21 11.5a8.4 8.4 0 0 1-8.5 8.3 8.7 8.7 0 0 1-3.9-.9L3 21l2.1-5.4a8.1 8.1 0 0 1-1.1-4.1 8.4 8.4 0 0 1 8.5-8.3 8.4 8.4 0 0 1 8.5 8.3z",
  ],
  close: ["M6 6l12 12", "M18 6L6 18"],
  anew: [
    "M12 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-6",
    "M10 14l.6-3L18.5 3.1a1.6 1.6 0 0 1 2.4 2.4L13 13.4z",
  ],
  send: ["M5 12h14", "M13 6l6 6-6 6"],
  stop: ["M7.5 7.5h9v9h-9z"],
  up: [
    "M7 10.5V20H4v-9.5z",
    "M7 10.5L11 3a2.6 2.6 0 0 1 2.6 2.6V9h5.1a2 2 0 0 1 2 2.3l-1.2 7a2 2 0 0 1-2 1.7H7",
  ],
  down: [
    "M17 13.5V4h3v9.5z",
    "M17 13.5L13 21a2.6 2.6 0 0 1-2.6-2.6V15H5.3a2 2 0 0 1-2-2.3l1.2-7A2 2 0 0 1 6.5 4H17",
  ],
  open: ["M9 6l6 6-6 6"],
  unknown: [
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
    "M9.6 9.4a2.5 2.5 0 0 1 4.9.7c0 1.7-2.5 2.1-2.5 3.7",
    "M12 17v.1",
  ],
  trouble: ["M12 4L2.8 20h18.4z", "M12 10v4.5", "M12 17.3v.1"],
} as const;

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: keyof typeof PATHS): SVGSVGElement {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  picture.setAttribute("class", `icon icon-${name}`);
  for (const path of PATHS[name]) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path);
    picture.append(line);
  }
  return picture;
}
