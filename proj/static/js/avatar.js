/*
 * The upload of a picture on the profile page: choose it or drop it, see it, choose the square to show, send it. Without
 * this script the form is sent as it is, and the square is the middle.
 *
 * The square goes to the server as three whole numbers, in pixels of the upright picture; nothing is scaled here, and
 * the file is sent as it is. A canvas shows it, not an image: the policy of our pages allows no blob: addresses, and a
 * bitmap needs none.
 */

const SMALLEST = 64; // pixels of the picture: closer than that there is nothing to see
const LARGEST_SIZE = 512; // of the thumbnails; a smaller square is enlarged, and says so

const form = document.getElementById("upload-form");
const part = (id) => document.getElementById(id);
const errors = part("upload-errors");
const input = form.elements.image;
const cropper = part("cropper");
const [view, ...small] = cropper.querySelectorAll("canvas");
const sliders = { zoom: part("cropper-zoom"), across: part("cropper-across"), down: part("cropper-down") };

let picture = null; // the bitmap of what was chosen, upright
let square = null; // {x, y, size} in its pixels, with fractions while it is dragged
let choice = 0; // how often something was chosen: a slow bitmap must not replace that of a later choice
let sending = null;

// Words -------------------------------------------------------------------------------------------------------------

const complain = (words) => {
  const notice = document.createElement("p");
  notice.className = "notice notice-bad";
  notice.textContent = words;
  errors.replaceChildren(notice);
};

const say = (words) => { part("upload-said").textContent = words; };

// The square --------------------------------------------------------------------------------------------------------

const shorter = () => Math.min(picture.width, picture.height);
const clamp = (value, most) => Math.max(0, Math.min(value, most));

const whole = () => {
  const size = Math.round(square.size);
  return {
    x: Math.min(Math.floor(square.x), picture.width - size),
    y: Math.min(Math.floor(square.y), picture.height - size),
    size,
  };
};

const share = (begin, room) => (room > 0 ? (100 * begin) / room : 50);

const show = () => {
  const { x, y, size } = whole();
  for (const canvas of [view, ...small]) {
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.fillStyle = "#fff"; // as the server puts what is transparent on white
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, x, y, size, size, 0, 0, canvas.width, canvas.height);
  }
  form.elements.crop_x.value = x;
  form.elements.crop_y.value = y;
  form.elements.crop_size.value = size;
  const [across, down] = [picture.width - size, picture.height - size];
  sliders.across.value = share(square.x, across);
  sliders.down.value = share(square.y, down);
  sliders.across.disabled = across === 0;
  sliders.down.disabled = down === 0;
  sliders.zoom.disabled = shorter() <= SMALLEST;
  sliders.zoom.setAttribute("aria-valuetext", `a square of ${size} pixels`);
  sliders.across.setAttribute("aria-valuetext", `${x} pixels from the left, ${across - x} from the right`);
  sliders.down.setAttribute("aria-valuetext", `${y} pixels from the top, ${down - y} from the bottom`);
  const soft = part("cropper-soft");
  soft.hidden = size >= LARGEST_SIZE;
  soft.textContent = `This square has ${size} x ${size} pixels: in the largest size it will look soft.`;
};

const moveTo = (x, y) => {
  square.x = clamp(x, picture.width - square.size);
  square.y = clamp(y, picture.height - square.size);
  show();
};

const middle = () => {
  const size = shorter();
  square = { x: (picture.width - size) / 2, y: (picture.height - size) / 2, size };
  sliders.zoom.value = 0;
  show();
};

// Each step of the slider makes the square smaller by the same share; its middle stays.
const zoom = () => {
  const most = shorter();
  const size = most * (Math.min(SMALLEST, most) / most) ** (sliders.zoom.value / 100);
  const [x, y] = [square.x + (square.size - size) / 2, square.y + (square.size - size) / 2];
  square.size = size;
  moveTo(x, y);
};

sliders.zoom.addEventListener("input", zoom);
sliders.across.addEventListener("input", () =>
  moveTo((sliders.across.value / 100) * (picture.width - square.size), square.y));
sliders.down.addEventListener("input", () =>
  moveTo(square.x, (sliders.down.value / 100) * (picture.height - square.size)));
part("cropper-middle").addEventListener("click", middle);

view.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary) return;
  view.setPointerCapture(event.pointerId);
  const scale = square.size / view.getBoundingClientRect().width;
  const [x, y] = [square.x + event.clientX * scale, square.y + event.clientY * scale];
  const drag = (move) => moveTo(x - move.clientX * scale, y - move.clientY * scale);
  const end = () => view.removeEventListener("pointermove", drag);
  view.addEventListener("pointermove", drag);
  view.addEventListener("lostpointercapture", end, { once: true });
});

// Choosing ----------------------------------------------------------------------------------------------------------

const forget = () => {
  picture?.close();
  picture = square = null;
  cropper.hidden = part("upload-blind").hidden = true;
  for (const name of ["crop_x", "crop_y", "crop_size"]) form.elements[name].value = "";
};

const choose = async () => {
  const mine = ++choice;
  const [file] = input.files;
  errors.replaceChildren();
  forget();
  if (!file) return;
  if (file.size > input.dataset.maxBytes) {
    complain(input.dataset.tooLarge);
    input.value = "";
    return;
  }
  let bitmap = null;
  try {
    bitmap = await createImageBitmap(file); // upright: by the orientation that the camera noted
  } catch {
    // Damaged, or of a kind that this browser does not know. The server says what it is.
  }
  if (mine !== choice) {
    bitmap?.close();
    return;
  }
  picture = bitmap;
  cropper.hidden = !picture;
  part("upload-blind").hidden = Boolean(picture);
  if (picture) middle();
};

const zone = part("upload-zone");
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

// A file that misses the box must not replace the page.
addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => { if (carriesFiles(event)) event.preventDefault(); });
zone.addEventListener("dragover", (event) => zone.classList.toggle("is-over", carriesFiles(event)));
for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("is-over"));
zone.addEventListener("drop", (event) => {
  if (sending || !carriesFiles(event)) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  input.files = one.files;
  choose();
});
input.addEventListener("change", choose);

// Sending -----------------------------------------------------------------------------------------------------------

const WORDS = {
  0: "The connection was lost on the way. Your choice is still here: press Upload again.",
  403: "This page is too old to be trusted. Load it again, and choose your picture once more.",
  413: "The file is too large to be taken.",
  429: "Those were too many pictures in a short time. Wait a minute, then press Upload again.",
};
const OURS = "Something went wrong on our side, and nothing was taken. Press Upload again in a minute.";

const busy = (is) => {
  part("upload-sending").hidden = part("upload-stop").hidden = !is;
  part("upload-send").disabled = is;
  for (const control of [input, ...cropper.querySelectorAll("input, button")]) control.inert = is;
};

const arrived = (html) => {
  htmx.swap("#avatar", html, { swapStyle: "outerHTML" });
  form.reset();
  forget();
  say("Your picture has arrived.");
  part("avatar").scrollIntoView({ block: "nearest" });
};

const answered = (request) => {
  if (new URL(request.responseURL).pathname.startsWith("/accounts/")) return location.reload(); // signed out meanwhile
  if (request.status === 202) return arrived(request.response);
  if (request.status === 422) return void (errors.innerHTML = request.response);
  complain(WORDS[request.status] ?? OURS);
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) return;
  errors.replaceChildren();
  sending = new XMLHttpRequest(); // fetch() does not tell how much has been sent
  sending.upload.addEventListener("progress", ({ loaded, total }) => {
    part("upload-progress").value = (100 * loaded) / total;
  });
  sending.addEventListener("load", ({ target }) => answered(target));
  sending.addEventListener("error", () => complain(WORDS[0]));
  sending.addEventListener("abort", () => say("Stopped."));
  sending.addEventListener("loadend", () => {
    sending = null;
    busy(false);
  });
  sending.open("POST", form.action);
  sending.setRequestHeader("HX-Request", "true");
  sending.send(new FormData(form));
  part("upload-progress").value = 0;
  busy(true);
  say("Sending your picture.");
});
part("upload-stop").addEventListener("click", () => sending?.abort());

choose(); // a browser that goes back to this page may have kept the file
